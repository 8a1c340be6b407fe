import { type Static, type TSchema, Type } from 'typebox'

/** A named schema, used by name. */
export const ref = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T>>({ $ref: `${(schema as { $id?: string }).$id}#` })

export const refOrNull = <T extends TSchema>(schema: T, description: string) =>
  Type.Unsafe<Static<T> | null>({ anyOf: [ref(schema), { type: 'null' }], description })

export const oneOf = <const T extends readonly string[]>(values: T, options: object = {}) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })

export const oneOrNull = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Unsafe<T[number] | null>({ type: ['string', 'null'], enum: [...values, null], description })

export const object = <T extends Parameters<typeof Type.Object>[0]>(
  properties: T,
  options: object = {},
) => Type.Object(properties, { additionalProperties: false, ...options })

export const nullable = (type: string, options: object = {}) =>
  Type.Unsafe<string | null>({ type: [type, 'null'], ...options })

export const text = (description: string) => Type.String({ description })

export const textOrNull = (description: string) => nullable('string', { description })

export const time = (description: string) => Type.String({ format: 'date-time', description })

export const timeOrNull = (description: string) =>
  nullable('string', { format: 'date-time', description })

export const count = (description: string) => Type.Integer({ minimum: 0, description })

export const cursorOrNull = (description: string) => textOrNull(description)

export const page = (items: TSchema, more: Record<string, TSchema> = {}) => ({
  ...more,
  items: Type.Array(items),
  next_cursor: cursorOrNull('Null at the end.'),
})

export const NOTHING = Type.Null({ description: 'No content.' })
