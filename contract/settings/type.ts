/**
 * JSON Schemas that know the TypeScript type of what they accept, in the vocabulary of TypeBox, which does far more and
 * takes a tenth of a second to load.
 */

declare const TYPE: unique symbol;
declare const OPTIONAL: unique symbol;

/** A JSON Schema, as ajv takes it; T is what it accepts. */
export interface Schema<T = unknown> {
  readonly [TYPE]: T;
  readonly [keyword: string]: unknown;
}
/** Of a field that may be left out. */
export interface Optional<T = unknown> extends Schema<T> {
  readonly [OPTIONAL]: true;
}

export interface ObjectSchema<F extends Fields> extends Schema<Accepted<F>> {
  readonly properties: F;
}

/** What a schema accepts. */
export type Static<S extends Schema> = S[typeof TYPE];

export type Fields = Readonly<Record<string, Schema>>;
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends Optional ? K : never }[keyof F];
type Simple<T> = { [K in keyof T]: T[K] };
type Accepted<F extends Fields> = Simple<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: Static<F[K]> } & { [K in OptionalKeys<F>]?: Static<F[K]> }
>;
/** More keywords: description, pattern, minimum … */
type Keywords = Readonly<Record<string, unknown>>;

/** Which fields of an object may be left out; no keyword of JSON Schema says it of the field itself. */
const optional = new WeakSet<object>();

const schema = <T>(keywords: Keywords): Schema<T> => keywords as Schema<T>;

export const Type = {
  String: (keywords: Keywords = {}) => schema<string>({ type: 'string', ...keywords }),
  Integer: (keywords: Keywords = {}) => schema<number>({ type: 'integer', ...keywords }),
  Boolean: (keywords: Keywords = {}) => schema<boolean>({ type: 'boolean', ...keywords }),
  Literal: <const T extends string | number | boolean>(value: T, keywords: Keywords = {}) =>
    schema<T>({ type: typeof value, const: value, ...keywords }),
  Enum: <const T extends readonly string[]>(values: T, keywords: Keywords = {}) =>
    schema<T[number]>({ enum: values, ...keywords }),
  Array: <S extends Schema>(items: S, keywords: Keywords = {}) =>
    schema<Static<S>[]>({ type: 'array', items, ...keywords }),
  Union: <S extends readonly Schema[]>(anyOf: readonly [...S], keywords: Keywords = {}) =>
    schema<Static<S[number]>>({ anyOf, ...keywords }),
  Object: <F extends Fields>(properties: F, keywords: Keywords = {}) => {
    const required = Object.keys(properties).filter((name) => !optional.has(properties[name] as object));
    const needed = required.length > 0 ? { required } : {};
    return schema<Accepted<F>>({ type: 'object', ...needed, properties, ...keywords }) as ObjectSchema<F>;
  },
  /** A schema whose type only its author knows. */
  Unsafe: <T>(keywords: Keywords) => schema<T>(keywords),
  Optional: <S extends Schema>(field: S): S & Optional<Static<S>> => {
    const copy = { ...field };
    optional.add(copy);
    return copy as S & Optional<Static<S>>;
  },
};
