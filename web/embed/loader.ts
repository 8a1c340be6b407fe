import { ask, register } from './elements.ts'

/** Written by the bundler: the hash of each script, the languages but English, and the hash of their sentences. */
declare const SCRIPTS: Readonly<Record<string, string>>
declare const LANGUAGES: string
declare const MESSAGES: string

/** `/embed.js` and `/embed/embed-HASH.js` are the same script. */
const service = import.meta.url.replace(/(\/embed)+[-.][^/]*$/, '')
const folder = `${service}/embed/`

/** A loader from a cache can name a file of an earlier release. */
const load = (name: string): Promise<unknown> =>
  import(`${folder}${name}-${SCRIPTS[name]}.js`).catch(async () => {
    const manifest = await ask(`${folder}manifest.json`)
    return import(folder + (await manifest.json()).scripts[name])
  })

register({
  service,
  load,
  loadMessages: async (lang) => {
    const name = lang.split('-')[0]!
    if (!LANGUAGES.split(' ').includes(name)) return undefined
    return (await ask(`${folder}messages/${name}.json?v=${MESSAGES}`)).json()
  },
})
