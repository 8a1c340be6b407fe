/** Standard output has the result of a script alone, so everything else goes to standard error. */
export const say = (words: string): void => void process.stderr.write(`${words}\n`)

/** Runs a script. A fault becomes one sentence and the exit code 1. */
export const runScript = async (main: () => Promise<unknown>): Promise<void> => {
  try {
    await main()
  } catch (error) {
    process.exitCode = 1
    say((error as Error).message)
  }
}
