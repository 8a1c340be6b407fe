import { type Static, type TSchema, Type } from 'typebox'
import { REASONS, type Reason } from '../../domain/comment/status.ts'

/** A reference to a named schema. */
export const ref = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T>>({ $ref: `${(schema as { $id?: string }).$id}#` })

export const refOrNull = <T extends TSchema>(schema: T, description: string) =>
  Type.Unsafe<Static<T> | null>({ anyOf: [ref(schema), { type: 'null' }], description })

export const oneOf = <const T extends readonly string[]>(values: T, options: object = {}) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })

export const oneOrNull = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Unsafe<T[number] | null>({ type: ['string', 'null'], enum: [...values, null], description })

/** An object of a request: unknown fields are refused. */
export const object = <T extends Parameters<typeof Type.Object>[0]>(
  properties: T,
  options: object = {},
) => Type.Object(properties, { additionalProperties: false, ...options })

/** An object of a response: unknown fields are left out, and later versions can add fields. */
export const openObject = Type.Object

export const nullable = (type: string, options: object = {}) =>
  Type.Unsafe<string | null>({ type: [type, 'null'], ...options })

export const integerOrNull = (description: string, options: object = {}) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], ...options, description })

export const text = (description: string) => Type.String({ description })

export const textOrNull = (description: string) => nullable('string', { description })

export const time = (description: string) => Type.String({ format: 'date-time', description })

export const timeOrNull = (description: string) =>
  nullable('string', { format: 'date-time', description })

export const flag = (description: string) => Type.Boolean({ description })

export const count = (description: string) => Type.Integer({ minimum: 0, description })

export const cursorOrNull = (description: string) => textOrNull(description)

export const page = (items: TSchema, more: Record<string, TSchema> = {}) => ({
  ...more,
  items: Type.Array(items),
  next_cursor: cursorOrNull('Cursor of the next page. Null on the last page.'),
})

/** The id of the staff member or API key that made a change. */
export const by = text('Id of the API key or member.')

/** The reason and the note of a decision. */
export const explanation = {
  reason: Type.Optional(
    Type.Unsafe<Reason | null>({ type: ['string', 'null'], enum: [...REASONS, null] }),
  ),
  note: Type.Optional(nullable('string', { maxLength: 2000, description: 'For moderators.' })),
}

/** A response that is text of another type than JSON. */
export const textOf = (type: string, description: string) =>
  ({ description, content: { [type]: { schema: Type.String() } } }) as unknown as TSchema

export const NOTHING = Type.Null({ description: 'No content.' })
