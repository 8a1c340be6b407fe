/** The records of a CSV file, by the names in its first line. Quoted fields may hold commas and lines. */
export const readCsv = (text: string): Readonly<Record<string, string>>[] => {
  const [names = [], ...records] = splitRecords(text.replace(/^\ufeff/, ''))
  return records.map((record) =>
    Object.fromEntries(names.map((name, n) => [name.trim().toLowerCase(), record[n] ?? ''])),
  )
}

const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y

const splitRecords = (text: string): string[][] => {
  const records: string[][] = []
  let record: string[] = []
  FIELD.lastIndex = 0
  while (FIELD.lastIndex < text.length) {
    const found = FIELD.exec(text)
    if (!found) throw new Error(`record ${records.length + 1} is not CSV`)
    const [, quoted, plain, end] = found
    record.push(quoted?.replaceAll('""', '"') ?? plain!)
    if (end === ',') continue
    records.push(record)
    record = []
  }
  return records
}
