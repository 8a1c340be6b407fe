import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Teardown = { teardown: (callback: () => unknown) => void }

/** An authority of its own. `issue` gives the files of a certificate for a host or a user. */
export const createAuthority = (t: Teardown) => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-authority-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const root = ['-keyout', file('ca.key'), '-out', file('ca.crt'), '-days', '2']
  openssl('req', '-x509', ...newKey, ...root, '-subj', '/CN=Test authority')
  const issue = (name: string) => {
    const [key, request, certificate] = ['key', 'csr', 'crt'].map((end) => file(`${name}.${end}`))
    openssl('req', ...newKey, '-keyout', key!, '-out', request!, '-subj', `/CN=${name}`)
    writeFileSync(file('names'), `subjectAltName=DNS:${name}\n`)
    const by = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '2']
    openssl('x509', '-req', '-in', request!, ...by, '-out', certificate!, '-extfile', file('names'))
    return {
      keyFile: key!,
      file: certificate!,
      key: readFileSync(key!, 'utf8'),
      text: readFileSync(certificate!, 'utf8'),
    }
  }
  return { file: file('ca.crt'), text: readFileSync(file('ca.crt'), 'utf8'), issue }
}
