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

const toPattern = (answer: string): RegExp =>
  new RegExp(`^${answer.split('…').map(quote).join('[\\s\\S]*?')}$`)

const quote = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

const shell = async (script: string): Promise<string> =>
  (await promisify(execFile)('sh', ['-c', script])).stdout.trim()

t.test('the session in README.md works as it is printed', async (t) => {
  const service = start(t, { AFTERWORD_DATA: createDataDir(t) })
  const { host } = new URL(await service.ready())
  const [, key] = /shown only now: (\S+)/.exec(service.err())!
  const steps = readSteps(README)
  t.ok(steps.length >= 10, 'the steps were found')
  for (const { command, answer } of steps) {
    const isKey = command.startsWith('KEY=')
    if (isKey) continue
    const output = await shell(`KEY=${key}\n${command.replaceAll('localhost:3000', host)}`)
    t.match(output, toPattern(answer), command)
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
