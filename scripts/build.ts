import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buildWidget, DIST } from '../src/http/embed/widget.ts'

/**
 * Builds the widget ahead: the files that the service serves into `web/dist`, for the container image. A
 * service without these files builds its own.
 */
const { files } = await buildWidget()
rmSync(DIST, { recursive: true, force: true })
for (const [path, text] of files) {
  mkdirSync(dirname(join(DIST, path)), { recursive: true })
  writeFileSync(join(DIST, path), text)
}
