/** True in `npm run test:slow`, which runs properties at full length. */
const isFull = process.env.TEST_LENGTH === 'full'

/** How many runs a property gets: a sample in `npm test`, all of them in `npm run test:slow`. */
export const runs = (sample: number, full: number): number => (isFull ? full : sample)
