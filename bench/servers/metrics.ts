import { sendWell } from './http.ts'

/** Reads one of the service's metrics. Undefined if the service has no metric of that name. */
export const readMetric = async (url: string, name: string): Promise<number | undefined> => {
  const text = (await sendWell(`${url}/metrics`)).body.toString()
  const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
