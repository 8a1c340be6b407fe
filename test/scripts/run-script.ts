import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const SCRIPTS = join(import.meta.dirname, '../../scripts')

export type Run = { code: number | null; out: string; err: string }

/** Runs a script of `scripts/` to its end. */
export const runScript = async (
  name: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<Run> => {
  const child = spawn(process.execPath, [join(SCRIPTS, name), ...args], {
    env: { ...process.env, ...env },
  })
  const [[code], out, err] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, out, err }
}
