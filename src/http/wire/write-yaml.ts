import { Document, isCollection, isMap, isPair, isScalar, isSeq, type Node } from 'yaml'

const MAX_LINE = 100
const INDENT = 2

/** Writes a short object or list, and one of plain values, on one line: one field, one line. */
export const writeYaml = (value: object): string => {
  const document = new Document(value, { aliasDuplicateObjects: false })
  shorten(document.contents, 0)
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

const shorten = (node: unknown, depth: number): void => {
  if (!isCollection(node) || node.items.length === 0) return
  const text = JSON.stringify(node)
  const isShort = text.length + depth * INDENT <= MAX_LINE
  if ((isShort || isFlat(node)) && !text.includes('\\n')) {
    node.flow = true
    return
  }
  for (const item of node.items) shorten(isPair(item) ? item.value : item, depth + 1)
}

const isFlat = (node: Node): boolean =>
  isMap(node) ? node.items.every(({ value }) => isPlain(value)) : isListOfValues(node)

const isPlain = (value: unknown): boolean => isScalar(value) || isListOfValues(value)

const isListOfValues = (value: unknown): boolean => isSeq(value) && value.items.every(isScalar)
