const BAR_WIDTH = 40
const SAID_PERCENT = 10

type Out = { readonly isTTY?: boolean; write: (text: string) => unknown }

/** Shows the progress: a bar on a terminal, otherwise one line per 10 %. Call it for each item, or with a number of items. */
export const createProgress = (
  label: string,
  total: number,
  out: Out,
): ((count?: number) => void) => {
  let done = 0
  let said = 0
  return (count = 1) => {
    done += count
    const line = `${label}: ${done} of ${total}`
    if (out.isTTY) {
      const filled = Math.round((done / total) * BAR_WIDTH)
      const bar = '#'.repeat(filled).padEnd(BAR_WIDTH)
      out.write(`\r[${bar}] ${line}${done === total ? '\n' : ''}`)
      return
    }
    const step = Math.floor((done * 100) / total / SAID_PERCENT)
    if (step > said) out.write(`${line}\n`)
    said = step
  }
}
