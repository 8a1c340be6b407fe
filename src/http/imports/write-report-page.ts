import type { Import, ImportReport, Listed } from '../../domain/importing/import.ts'
import { type Html, html } from '../wire/html.ts'

const STYLE = `
body { font: 1rem/1.5 system-ui, sans-serif; max-inline-size: 50rem; margin: 2rem auto; padding-inline: 1rem }
table { border-collapse: collapse }
th, td { text-align: start; padding: .25rem 1rem .25rem 0; border-block-end: 1px solid #8884 }
td { font-variant-numeric: tabular-nums }
`

/** The report of an import as a page for people. It loads nothing and runs no script. */
export const writeReportPage = ({ state, dryRun, report, fault, byteCount }: Import): string => {
  const title = `${dryRun ? 'Dry run of an import' : 'Import'}: ${state}`
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${{ html: STYLE }}</style>
<h1>${title}</h1>
${fault && html`<p><strong>${faultText(fault)}</strong></p>`}
${report ? [tableOf(report, byteCount), ...listsOf(report)] : html`<p>The file is not read yet.</p>`}
</html>
`.html
}

const faultText = ({ detail, line, column }: NonNullable<Import['fault']>): string =>
  line === null ? detail : `Line ${line}, column ${column ?? 1}: ${detail}`

const tableOf = (report: ImportReport, byteCount: number): Html => {
  const { comments, threads, authors, origin, format, readBytes } = report
  const rows: [string, string | number][] = [
    ['Format', format],
    ['Origin', origin],
    ['Bytes read', `${readBytes} of ${byteCount}`],
    ['Comments in the file', comments.total],
    ['Comments created', comments.created],
    ['Comments updated', comments.updated],
    ['Comments unchanged', comments.unchanged],
    ...Object.entries(comments.skipped).map(([reason, n]): [string, number] => [
      `Comments skipped: ${reason}`,
      n,
    ]),
    ['Threads created', threads.created],
    ['Threads that existed', threads.matched],
    ['Authors created', authors.created],
    ['Authors that existed', authors.matched],
    ['Comments moved up to the depth limit', report.cut],
  ]
  const lines = rows.map(([name, value]) => html`<tr><th scope="row">${name}<td>${value}\n`)
  return html`<table>\n${lines}</table>\n`
}

const listsOf = ({ orphans, duplicates, repairs, keptHere }: ImportReport): readonly Html[] => [
  listOf('Comments that became root comments', orphans, ({ id, reason }) => `${id} (${reason})`),
  listOf('Ids that occur more than once', duplicates, ({ id }) => id),
  listOf('Repairs', repairs, ({ what, line, column }) => `line ${line}, column ${column}: ${what}`),
  listOf('Changes that were not taken', keptHere, ({ id, what }) => `${id} (${what})`),
]

const listOf = <T>(
  title: string,
  { total, items }: Listed<T>,
  write: (item: T) => string,
): Html => {
  const lines = items.map((item) => html`<li>${write(item)}\n`)
  return total === 0 ? html`` : html`<h2>${title}: ${total}</h2>\n<ul>\n${lines}</ul>\n`
}
