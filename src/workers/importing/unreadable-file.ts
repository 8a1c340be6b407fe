/** A fault of the file that no import can mend. Line and column are null where the file has none. */
export class UnreadableFile extends Error {
  readonly line: number | null
  readonly column: number | null

  constructor(sentence: string, line: number | null = null, column: number | null = null) {
    super(sentence)
    this.name = 'UnreadableFile'
    this.line = line
    this.column = column
  }
}
