import { testLargeBatch } from '../usecases/large-batch.ts'

testLargeBatch({ comments: 100_000, threads: 500 })
