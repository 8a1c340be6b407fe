/** Values that a browser keeps for a reader: on the device, or for the visit. No cookie is set. */

type Kind = 'localStorage' | 'sessionStorage'

/** A browser can refuse all storage; then things are kept until the page is left. */
const memory = new Map<string, string>()

export const readKept = (kind: Kind, name: string): string | null => {
  try {
    return globalThis[kind].getItem(name)
  } catch {
    return memory.get(name) ?? null
  }
}

/** Null removes the value. @returns whether the value outlives the page */
export const keep = (kind: Kind, name: string, value: string | null): boolean => {
  try {
    if (value === null) globalThis[kind].removeItem(name)
    else globalThis[kind].setItem(name, value)
    return true
  } catch {
    if (value === null) memory.delete(name)
    else memory.set(name, value)
    return false
  }
}

export const guestName = (site: string): string => `afterword:${site}:guest`
export const draftName = (thread: string, place: string): string =>
  `afterword:${thread}:draft:${place}`
export const collapsedName = (thread: string): string => `afterword:${thread}:collapsed`

export const parseKept = <T>(text: string | null): T | undefined => {
  try {
    return text === null ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
