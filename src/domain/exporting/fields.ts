import { isStorable, validateUrl } from '../comment/text.ts'
import { AUTOMATIC } from '../people/caller.ts'

/** A field of a line: its description, and what is wrong with a value, if anything is. */
export type Field = {
  readonly type: string
  readonly says: string
  readonly findFault: (value: unknown) => string | undefined
}

const field = (type: string, says: string, isValid: (value: unknown) => boolean): Field => ({
  type,
  says,
  findFault: (value) => (isValid(value) ? undefined : `must be ${type}`),
})

const isText = (value: unknown, max: number): value is string =>
  typeof value === 'string' && hasAtMost(max, value) && isStorable(value)

/** In code points, as the API counts. */
const hasAtMost = (max: number, text: string): boolean =>
  text.length <= max || (text.length <= 2 * max && Array.from(text).length <= max)

export const text = (max: number, says: string): Field =>
  field(`a text of at most ${max} characters`, says, (value) => isText(value, max))

const ID = /^[A-Za-z][\w-]{22}$/
export const id = (says: string): Field =>
  field('an id', says, (value) => typeof value === 'string' && ID.test(value))

/** A doer: the id of an author or a key, or the name of a rule. It is never a stored id of this service. */
export const doer = (says: string): Field =>
  field(
    'an id of an author or a key, or the name of a rule',
    says,
    (value) => typeof value === 'string' && (ID.test(value) || NAMES.includes(value)),
  )
const NAMES: readonly string[] = [...AUTOMATIC, 'operator']

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
export const time = (says: string): Field =>
  field(
    'a time in UTC with milliseconds',
    says,
    (value) => typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value)),
  )

export const flag = (says: string): Field =>
  field('true or false', says, (value) => typeof value === 'boolean')

export const whole = (min: number, max: number, says: string): Field =>
  field(
    `a whole number from ${min} to ${max}`,
    says,
    (value) => Number.isSafeInteger(value) && min <= (value as number) && (value as number) <= max,
  )

export const oneOf = (values: readonly (string | number)[], says: string): Field =>
  field(`one of ${values.join(', ')}`, says, (value) => values.includes(value as string))

export const url = (says: string): Field =>
  field('a URL with http or https', says, (value) => isText(value, 2_048) && validateUrl(value).ok)

export const listOf = (of: Field, max: number, says: string): Field =>
  field(
    `a list of at most ${max} values, each ${of.type}`,
    says,
    (value) =>
      Array.isArray(value) &&
      value.length <= max &&
      value.every((one) => of.findFault(one) === undefined),
  )

/** JSON that code elsewhere validates. */
export const json = (type: 'an object' | 'a list', max: number, says: string): Field =>
  field(type, says, (value) => {
    const isOfType = type === 'a list' ? Array.isArray(value) : isObject(value)
    return (
      isOfType && isText(JSON.stringify(value), max) && !JSON.stringify(value).includes('\\u0000')
    )
  })

export const object = (fields: Readonly<Record<string, Field>>, says: string): Field => ({
  type: `an object with ${Object.keys(fields).join(', ')}`,
  says,
  findFault: (value) => findFaultIn(fields, value),
})

export const orNull = (of: Field): Field => ({
  ...of,
  type: `${of.type}, or null`,
  findFault: (value) => (value === null ? undefined : of.findFault(value)),
})

/** The first fault of an object's fields. Every field must be there, and no other one. */
export const findFaultIn = (
  fields: Readonly<Record<string, Field>>,
  value: unknown,
): string | undefined => {
  if (!isObject(value)) return 'must be an object'
  const names = Object.keys(fields)
  const foreign = Object.keys(value).find((name) => !names.includes(name))
  if (foreign !== undefined) return `${JSON.stringify(foreign.slice(0, 40))} is not a field`
  for (const name of names) {
    const fault = fields[name]!.findFault(value[name])
    if (fault) return `${name}: ${fault}`
  }
  return undefined
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
