import { accessSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const EXECUTABLE = process.env.TEST_CHROMIUM || '/usr/bin/chromium'

const isThere = (): boolean => {
  try {
    accessSync(EXECUTABLE)
    return true
  } catch {
    return false
  }
}

/** False, or why a test that needs a browser is skipped. */
export const skipWithoutBrowser = isThere() ? false : `no browser at ${EXECUTABLE}`

/** The switches keep it from asking the network for anything by itself. */
const SWITCHES = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const openBrowser = async (t: {
  teardown: (callback: () => unknown) => void
}): Promise<Browser> => {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: SWITCHES })
  t.teardown(() => browser.close())
  return browser
}
