import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** A folder that npm takes for that of the service, with a file `.env` of its own. */
export const createEnvFolder = (
  t: { teardown: (callback: () => void) => void },
  env: Readonly<Record<string, string>>,
): string => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-env-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (const name of ['package.json', 'node_modules', 'src', 'scripts', 'migrations'])
    symlinkSync(join(ROOT, name), join(folder, name))
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(join(folder, '.env'), lines.join(''))
  return folder
}
