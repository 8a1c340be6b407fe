const BAR_WIDTH = 40
const SAID_PERCENT = 10

type Out = { readonly isTTY?: boolean; write: (text: string) => unknown }

/** Shows the progress: a bar on a terminal, otherwise one line per 10 %. Call it once per item. */
export const createProgress = (label: string, total: number, out: Out): (() => void) => {
  let done = 0
  let said = 0
  return () => {
    done += 1
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
