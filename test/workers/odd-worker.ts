import { parentPort } from 'node:worker_threads'

/** A worker that does what its task says: ends, runs for ever, throws or replies. */
const perform = (task: unknown): unknown => {
  if (task === 'exit') process.exit(3)
  if (task === 'run for ever') for (;;);
  if (task === 'throw') throw new RangeError('thrown')
  return task
}

parentPort!.on('message', (task: unknown) => {
  try {
    parentPort!.postMessage({ result: perform(task) })
  } catch (error) {
    parentPort!.postMessage({ error })
  }
})
