import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createDataDir, start } from '../start.ts'

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

type Step = { command: string; answer: string }

/** `$ command`, with its continuation lines, then what it prints; `…` stands for anything. */
const readSteps = (markdown: string): Step[] =>
  [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    block!
      .split(/^\$ /m)
      .filter(Boolean)
      .map((text) => {
        const [, command, answer] = /^((?:.*\\\n)*.*)\n?([\s\S]*)$/.exec(text)!
        return { command: command!, answer: answer!.trim() }
      }),
  )

const ID = /\b[a-z][\w-]{22}(?=["/.\\])/g

/** Ids differ in every installation. Maps the printed ids to those that the service returned. */
type Ids = Map<string, string>

/** `…` stands for anything, and an id that was not printed before for any id of its kind. */
const toPattern = (answer: string, ids: Ids = new Map()): RegExp => {
  const any = answer.split('…').map(quote).join('[\\s\\S]*?')
  const found = new Set<string>()
  const pattern = any.replace(ID, (printed) => {
    const name = `id_${printed.replaceAll('-', '$')}`
    if (ids.has(printed)) return quote(ids.get(printed)!)
    if (found.has(printed)) return `\\k<${name}>`
    found.add(printed)
    return `(?<${name}>${printed[0]}[\\w-]{22})`
  })
  return new RegExp(`^${pattern}$`)
}

/** Remembers the ids that an output has where the session prints others. */
const learn = (ids: Ids, pattern: RegExp, output: string): void => {
  for (const [name, id] of Object.entries(pattern.exec(output)?.groups ?? {}))
    ids.set(name.slice('id_'.length).replaceAll('$', '-'), id)
}

const quote = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

const shell = async (script: string): Promise<string> =>
  (await promisify(execFile)('sh', ['-c', script])).stdout.trim()

t.test('the session in README.md works as it is printed', async (t) => {
  const service = start(t, { AFTERWORD_DATA: createDataDir(t) })
  const { host } = new URL(await service.ready())
  const [, key] = /shown only now: (\S+)/.exec(service.err())!
  const steps = readSteps(README)
  t.ok(steps.length >= 10, 'the steps were found')
  const ids: Ids = new Map()
  for (const { command, answer } of steps) {
    const isKey = command.startsWith('KEY=')
    if (isKey) continue
    const asked = command.replaceAll('localhost:3000', host).replace(ID, (id) => ids.get(id) ?? id)
    const output = await shell(`KEY=${key}\n${asked}`)
    const pattern = toPattern(answer, ids)
    t.match(output, pattern, command)
    learn(ids, pattern, output)
  }
})

t.test('README.md shows how a fresh start prints its admin key', async (t) => {
  t.match(README, /```text\nAdmin key, shown only now: [\w-]{43}\n```/)
})

t.test('the test of README.md notices a response that differs from the printed one', async (t) => {
  const printed = toPattern('{"a":1,…,"c":[…]}')
  t.match('{"a":1,"b":2,"c":[{}]}', printed)
  t.notMatch('{"a":2,"b":2,"c":[{}]}', printed)
  t.notMatch('{"a":1,"b":2,"c":[{}]} ', printed)
})
