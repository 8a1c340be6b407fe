import { sendWell } from './http.ts'

/** One figure of the service's own metrics; undefined when it has none of that name. */
export const readMetric = async (url: string, name: string): Promise<number | undefined> => {
  const text = (await sendWell(`${url}/metrics`)).body.toString()
  const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
