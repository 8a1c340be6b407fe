import { setImmediate as turn } from 'node:timers/promises'

type Call<Input, Output> = {
  readonly input: Input
  readonly answer: (output: Output) => void
  readonly fail: (error: Error) => void
}

/** A function that a test answers call by call, in the order that it wants. */
export type ByHand<Input, Output> = {
  readonly ask: (input: Input) => Promise<Output>
  /** All calls so far. */
  readonly calls: readonly Call<Input, Output>[]
  /** The first call that was not yet given, as soon as it is there. */
  readonly next: () => Promise<Call<Input, Output>>
}

export const createByHand = <Input, Output>(): ByHand<Input, Output> => {
  const calls: Call<Input, Output>[] = []
  let given = 0
  let wake = (): void => {}
  return {
    calls,
    ask: (input) => {
      const { promise, resolve, reject } = Promise.withResolvers<Output>()
      calls.push({ input, answer: resolve, fail: reject })
      wake()
      return promise
    },
    next: async () => {
      while (calls.length === given) await new Promise<void>((resolve) => (wake = resolve))
      return calls[given++]!
    },
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await turn()
}

type Teardown = { teardown: (callback: () => unknown) => void }

/** Stops `performance.now()` until the end of the test; time passes only when the test says so. */
export const stopClock = (t: Teardown): { pass: (ms: number) => void } => {
  // Whole: the difference of two fractions may come out a little too small.
  let now = Math.ceil(performance.now())
  performance.now = () => now
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  return {
    pass: (ms) => {
      now += ms
    },
  }
}
