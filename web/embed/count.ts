import { openLanguage } from './texts.ts'
import type { Host, Place } from './view.ts'

/** The count in words, such as “4 Comments”. */
export const sayCount = async (host: Host, n: number, place: Place): Promise<string> =>
  (await openLanguage(host, place)).t('count', { n })
