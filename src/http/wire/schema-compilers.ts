import ValidatorSelector from '@fastify/ajv-compiler'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'

/**
 * Validators and serializers are compiled on first use, once per process: equal schemas share one
 * function. Compiling those of all operations takes 300 ms of processor, a fifth
 * of the start; one request needs about four.
 */

type BuildValidator = ReturnType<typeof ValidatorSelector>
type BuildSerializer = ReturnType<typeof SerializerSelector>
type Validator = ((data: unknown) => unknown) & { errors?: unknown }
type Serializer = (body: unknown) => string
type Route = { readonly schema?: unknown }
type Compile<T> = (route: Route) => T

const buildAjv = ValidatorSelector()
const buildStringify = SerializerSelector()
const validators = new Map<string, Compile<Validator>>()
const serializers = new Map<string, Compile<Serializer>>()

export const buildValidator = ((schemas, options) => {
  const compilerOf = (known: typeof schemas) =>
    compileLate(validators, [known, options?.customOptions], () => buildAjv(known, options))
  const [compile, compileAlone] = [compilerOf(schemas), compilerOf({})]
  return (route: Route): Validator => {
    let compiled: Validator | undefined
    const validate: Validator = (data) => {
      compiled ??= hasReference(route) ? compile(route) : compileAlone(route)
      const isValid = compiled(data)
      validate.errors = compiled.errors
      return isValid
    }
    return validate
  }
}) as BuildValidator

export const buildSerializer = ((schemas, options) => {
  const compile = compileLate(serializers, [schemas, options], () =>
    buildStringify(schemas, options),
  )
  return (route: Route): Serializer => {
    let compiled: Serializer | undefined
    return (body) => {
      compiled ??= compile(route)
      return compiled(body)
    }
  }
}) as BuildSerializer

/** Parameters and queries have none. Reading the 150 schemas with names would delay the first request by 10 ms. */
const hasReference = ({ schema }: Route): boolean => JSON.stringify(schema).includes('"$ref":')

/** Returns a compiler that builds or reuses its function on first use. */
const compileLate = <T>(
  known: Map<string, Compile<T>>,
  schemas: unknown,
  build: () => unknown,
): Compile<T> => {
  let compile: Compile<T> | undefined
  const find = (): Compile<T> => {
    const key = JSON.stringify(schemas)
    const found = known.get(key) ?? compileOnce(build() as Compile<T>)
    known.set(key, found)
    return found
  }
  return (route) => {
    compile ??= find()
    return compile(route)
  }
}

const compileOnce = <T>(compile: Compile<T>): Compile<T> => {
  const known = new Map<string, T>()
  return (route) => {
    const key = JSON.stringify(route.schema)
    const compiled = known.get(key) ?? compile(route)
    known.set(key, compiled)
    return compiled
  }
}
