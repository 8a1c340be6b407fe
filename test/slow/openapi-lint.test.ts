import { createRequire } from 'node:module'
import t from 'tap'
import { parse } from 'yaml'
import { DESCRIPTION_FILE, describeService } from '../../scripts/openapi.ts'

/** Loads the linters without their types: four functions of them are called. */
const require = createRequire(import.meta.url)

/** Errors and warnings as `rule: message`. */
type Findings = { readonly errors: readonly string[]; readonly warnings: readonly string[] }

const lintWithRedocly = async (text: string): Promise<Findings> => {
  const { createConfig, lintFromString } = require('@redocly/openapi-core')
  const config = await createConfig({ extends: ['recommended'] })
  const problems: { severity: string; ruleId: string; message: string }[] = await lintFromString({
    source: text,
    absoluteRef: DESCRIPTION_FILE,
    config,
  })
  const of = (severity: string) =>
    problems
      .filter((problem) => problem.severity === severity)
      .map(({ ruleId, message }) => `${ruleId}: ${message}`)
  return { errors: of('error'), warnings: of('warn') }
}

const SPECTRAL_ERROR = 0

const lintWithSpectral = async (text: string): Promise<Findings> => {
  const { Spectral } = require('@stoplight/spectral-core')
  const { oas } = require('@stoplight/spectral-rulesets')
  const spectral = new Spectral()
  spectral.setRuleset({ extends: [[oas, 'recommended']] })
  const results: { severity: number; code: string; message: string; path: string[] }[] =
    await spectral.run(parse(text))
  const of = (isWanted: (severity: number) => boolean) =>
    results
      .filter(({ severity }) => isWanted(severity))
      .map(({ code, message, path }) => `${code}: ${message} at ${path.join('/')}`)
  return {
    errors: of((severity) => severity === SPECTRAL_ERROR),
    warnings: of((severity) => severity !== SPECTRAL_ERROR),
  }
}

t.test('openapi.yaml follows the recommended rules of Redocly', async (t) => {
  const { errors, warnings } = await lintWithRedocly(await describeService())
  t.same(errors, [])
  const others = warnings.filter((warning) => !warning.startsWith('operation-4xx-response:'))
  t.same(others, [], 'only the default responses, which stand for every 4xx, cause warnings')
})

t.test('openapi.yaml follows the recommended rules of Spectral', async (t) => {
  t.same(await lintWithSpectral(await describeService()), { errors: [], warnings: [] })
})

t.test('both linters report a response without a description', async (t) => {
  const broken = (await describeService()).replace(/^ +description: Created\.\n/m, '')
  t.match((await lintWithRedocly(broken)).errors, [/description/])
  t.match((await lintWithSpectral(broken)).errors, [/description/])
})
