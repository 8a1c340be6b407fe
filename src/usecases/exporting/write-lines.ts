/** Lines go out together in pieces of about this many characters, because every piece costs a write to the socket. */
const PIECE = 65_536

/** Writes values as lines of JSON. */
export async function* writeLines(values: AsyncIterable<object>): AsyncGenerator<string> {
  let piece = ''
  for await (const value of values) {
    piece += `${JSON.stringify(value)}\n`
    if (piece.length < PIECE) continue
    yield piece
    piece = ''
  }
  if (piece) yield piece
}
