import { createLanguage } from './texts.ts'
import type { Host, Messages } from './view.ts'

/** The count in words, such as “4 Comments”. */
export const sayCount = async (
  host: Host,
  n: number,
  lang: string,
  messages: Promise<Messages | undefined>,
): Promise<string> =>
  createLanguage(host, lang, await messages.catch(() => undefined)).t('count', { n })
