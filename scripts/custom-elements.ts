/**
 * Describes the tags of the widget for editors, in the form of `custom-elements.json`. The tables of
 * `docs/embedding.md` are the source; a test compares them with the code of the tags.
 */

type Row = Readonly<Record<string, string>>

const TAGS = ['thread', 'count', 'recent', 'staff'] as const

/** @param page the text of `docs/embedding.md` */
export const describeTags = (page: string): object => {
  const read = (header: string): Row[] => readTable(page, header)
  const tags = read('tag')
  const attributes = read('attribute')
  const fields = read('name')
  const events = read('event')
  const slots = read('slot')
  const properties = read('custom property')
  const parts = read('part')
  const isOf = (tag: string) => (row: Row) => row.of === 'all' || row.of!.split(', ').includes(tag)
  const describe = (tag: (typeof TAGS)[number]) => ({
    kind: 'class',
    customElement: true,
    name: toClass(tag),
    tagName: `afterword-${tag}`,
    description: tags.find(({ tag: name }) => name!.includes(`<afterword-${tag}>`))!.shows,
    superclass: { name: 'HTMLElement' },
    attributes: attributes.filter(isOf(tag)).map((row) => ({
      name: nameOf(row.attribute!),
      fieldName: toProperty(nameOf(row.attribute!)),
      description: row.meaning,
      type: { text: 'string' },
    })),
    members: fields.filter(isOf(tag)).map((row) => {
      const [, name, parameter] = /^(\w+)(?:\((\w*)\))?$/.exec(nameOf(row.name!))!
      if (parameter === undefined) return { kind: 'field', name, description: row.meaning }
      const parameters = parameter ? [{ name: parameter, type: { text: 'string' } }] : []
      return { kind: 'method', name, parameters, description: row.meaning }
    }),
    // Only the thread has events and slots. The number of a count is text of the page.
    ...(tag === 'thread' && {
      events: events.map((row) => ({
        name: nameOf(row.event!),
        description: row.detail,
        type: { text: 'CustomEvent' },
      })),
      slots: slots.map((row) => ({ name: nameOf(row.slot!), description: row.place })),
    }),
    ...(tag !== 'count' && {
      cssProperties: properties.map((row) => ({
        name: nameOf(row['custom property']!),
        description: row.meaning,
      })),
      cssParts: parts.flatMap((row) =>
        namesOf(`${row.part} ${row.element}`).map((name) => ({ name, description: row.element })),
      ),
    }),
  })
  const path = 'dist/index.js'
  return {
    schemaVersion: '2.1.0',
    modules: [
      {
        kind: 'javascript-module',
        path,
        declarations: TAGS.map(describe),
        exports: TAGS.map((tag) => ({
          kind: 'custom-element-definition',
          name: `afterword-${tag}`,
          declaration: { name: toClass(tag), module: path },
        })),
      },
    ],
  }
}

const toClass = (tag: string): string => `Afterword${tag[0]!.toUpperCase()}${tag.slice(1)}`
const toProperty = (name: string): string =>
  name.replaceAll(/-./g, (part) => part[1]!.toUpperCase())

const namesOf = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
const nameOf = (cell: string): string => namesOf(cell)[0]!

const cellsOf = (line: string): string[] =>
  line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim())

/** The rows of the table whose first column has this header. */
const readTable = (page: string, header: string): Row[] => {
  const [, first, rows] = new RegExp(
    `^(\\| ${header} \\|.*)\\n\\|[-:|]*\\n((?:\\|.*\\n)*)`,
    'm',
  ).exec(page)!
  const columns = cellsOf(first!)
  return rows!
    .trimEnd()
    .split('\n')
    .map((line) => Object.fromEntries(cellsOf(line).map((cell, n) => [columns[n], cell])))
}
