import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { MindiError } from '../error.ts';
import { INHERITED } from './fields.ts';
import { quoted } from './problems.ts';
import { didYouMean } from './suggest.ts';
import { type Located, nodeAt, plain } from './yaml.ts';

/** The parts of JSON Schema our schemas are made of. */
interface Schema {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  propertyNames?: Schema;
  description?: string;
}

/**
 * What is wrong with a file by its schema: every problem, each at its file:line:column, with "did you mean" for unknown
 * keys and values. Empty when nothing is.
 * @param kind prefix of the error codes, `profile`.
 */
export function check(root: Located, schema: object, kind: string): MindiError[] {
  const validate = validator(schema);
  if (validate(plain(root))) return [];
  const errors = validate.errors ?? [];
  return chosenBranches(errors.filter(({ schemaPath }) => !schemaPath.includes('/propertyNames/')))
    .map((error) => problem(error, root, schema as Schema, kind))
    .sort((one, other) => compare(position(one), position(other)));
}

/** Line and column of `file:line:column`. */
const position = ({ where = '' }: MindiError) => where.split(':').slice(-2).map(Number);
const compare = ([line = 0, column = 0]: number[], [otherLine = 0, otherColumn = 0]: number[]) =>
  line - otherLine || column - otherColumn;

const validators = new WeakMap<object, ValidateFunction>();

function validator(schema: object): ValidateFunction {
  const known = validators.get(schema);
  if (known) return known;
  // The schemas are ours: a test checks them against the meta-schema, which takes ten times as long as using them.
  const options = {
    allErrors: true,
    verbose: true,
    strict: true,
    allowUnionTypes: true,
    meta: false,
    validateSchema: false,
  };
  const { $schema: _, ...bare } = schema as { $schema?: string };
  const validate = new Ajv2020(options).compile(bare);
  validators.set(schema, validate);
  return validate;
}

/**
 * ajv reports every branch of an `anyOf`. Kept are the errors of the branch the person meant, or, when none is of the
 * value's kind, the one error of the `anyOf` itself.
 */
function chosenBranches(errors: readonly ErrorObject[]): ErrorObject[] {
  let kept = [...errors];
  for (const choice of errors.filter(({ keyword }) => keyword === 'anyOf')) {
    const meant = branchMeant(choice.schema as Schema[], choice.data);
    const inside = (error: ErrorObject, branch = '') =>
      error.instancePath.startsWith(choice.instancePath) &&
      error.schemaPath.startsWith(`${choice.schemaPath}/${branch}`);
    kept = kept.filter((error) =>
      meant === undefined ? !inside(error) : error !== choice && (!inside(error) || inside(error, `${meant}/`)),
    );
  }
  return kept;
}

/** Index of the branch whose errors help: an object's by its keys, else one that takes any value of that type. */
function branchMeant(branches: readonly Schema[], value: unknown): number | undefined {
  const kind = Array.isArray(value) ? 'array' : typeof value;
  const index = value === null ? -1 : branches.findIndex(({ type }) => type === kind);
  const branch = branches[index];
  if (!branch || branch.enum || 'const' in branch) return undefined;
  if (!branch.properties) return index;
  const keys = Object.keys(value as object);
  const shared = branches.map(({ properties = {} }) => keys.filter((key) => Object.hasOwn(properties, key)).length);
  const most = Math.max(...shared);
  if (most > 0) return shared.indexOf(most);
  return branches.filter(({ properties }) => properties).length === 1 ? index : undefined;
}

/** One ajv error and what it is about. */
interface Finding {
  params: Record<string, unknown>;
  data: unknown;
  /** `must be >= 0`. */
  says: string;
  /** The part of the schema that was not met. */
  rule: Schema;
  schema: Schema;
  node: Located;
  /** `drivers.include[0]`; empty for the whole file. */
  at: string;
}

interface Report {
  code: string;
  message: string;
  hint?: string;
  /** The value's own place when not given. */
  where?: string;
}

function problem(error: ErrorObject, root: Located, schema: Schema, kind: string): MindiError {
  const path = steps(error.instancePath);
  const node = nodeAt(root, path);
  const { data, params } = error;
  const says = SAYS[error.keyword] ?? error.message ?? '';
  const rule = (error.parentSchema ?? {}) as Schema;
  const report = error.data === null ? noValue : (REPORTS[error.keyword] ?? badValue);
  const { code, message, hint, where } = report({ params, data, says, rule, schema, node, at: dotted(path) });
  return new MindiError(message, { code: `${kind}.${code}`, where: where ?? node.place, hint });
}

/** Where ajv's own words would puzzle. */
const SAYS: Record<string, string> = {
  pattern: 'has not the right form',
  minItems: 'must not be empty',
  minLength: 'must not be empty',
};

/** How a broken rule is told, by the schema's keyword. */
const REPORTS: Record<string, (finding: Finding) => Report> = {
  additionalProperties: unknownKey,
  required: missingKey,
  enum: unknownValue,
  const: unknownValue,
  anyOf: unknownValue,
  type: wrongType,
  uniqueItems: twice,
  propertyNames: badName,
};

function unknownKey({ params, node, at, rule, schema }: Finding): Report {
  const key = String(params.additionalProperty);
  return {
    code: 'unknown-key',
    message: `unknown key ${quoted(key)}${at && ` in ${at}`}`,
    hint: keyHint(key, Object.keys(rule.properties ?? {}), schema),
    where: nodeAt(node, [key]).keyPlace,
  };
}

function missingKey({ params, node, at, rule }: Finding): Report {
  const key = String(params.missingProperty);
  const description = rule.properties?.[key]?.description;
  const message = `${at && `${at}.`}${key} is missing`;
  return { code: 'missing-key', message, hint: description && `${key}: ${description}.`, where: node.keyPlace };
}

function unknownValue({ data, at, rule }: Finding): Report {
  return { code: 'unknown-value', message: `${at} cannot be ${quoted(data)}`, hint: valueHint(data, rule) };
}

function noValue({ at }: Finding): Report {
  return { code: 'no-value', message: `${at} has no value`, hint: 'Give it one, or leave the line out.' };
}

function wrongType({ data, at, rule }: Finding): Report {
  const message = `${at} must be ${article(rule)}, not ${quoted(data)}`;
  return { code: 'wrong-type', message, hint: typeHint(data, rule) };
}

function twice({ params, node, at }: Finding): Report {
  const item = nodeAt(node, [Math.max(Number(params.i), Number(params.j))]);
  return { code: 'bad-value', message: `${at} has ${quoted(item.value)} twice`, where: item.place };
}

function badName({ params, node, at, rule }: Finding): Report {
  const name = String(params.propertyName);
  const wanted = rule.propertyNames?.description;
  return {
    code: 'bad-value',
    message: `${at} cannot have ${quoted(name)}`,
    hint: wanted && `What stands before the colon is ${wanted}.`,
    where: nodeAt(node, [name]).keyPlace,
  };
}

function badValue({ data, at, says, rule }: Finding): Report {
  const hint = rule.description && `${at}: ${rule.description}.`;
  return { code: 'bad-value', message: `${at}: ${quoted(data)} ${says}`, hint };
}

/** A near key here; else the section where this key belongs; else the keys there are. */
function keyHint(key: string, known: readonly string[], schema: Schema): string {
  const near = didYouMean(key, known);
  if (near) return near;
  const homes = Object.entries(schema.properties ?? {}).filter(([, { properties }]) =>
    Object.hasOwn(properties ?? {}, key),
  );
  if (homes.length > 0) return `It belongs under ${homes.map(([home]) => `${home}:`).join(' or ')}`;
  return `The keys here are ${known.join(', ')}.`;
}

/** A near value, else what may stand there. */
function valueHint(value: unknown, rule: Schema): string {
  const branches = rule.anyOf ?? [rule];
  const words = branches.flatMap(({ enum: listed = [] }) => listed).filter((word) => typeof word === 'string');
  const near = typeof value === 'string' ? didYouMean(value, words) : undefined;
  const choices = branches.flatMap(
    (branch) => branch.enum?.filter((word) => word !== INHERITED).map(String) ?? [form(branch)],
  );
  return [near, `It is one of: ${choices.join(', ')}.`].filter(Boolean).join(' ');
}

function form(branch: Schema): string {
  if ('const' in branch) return String(branch.const);
  if (branch.properties)
    return `{ ${Object.keys(branch.properties)
      .map((key) => `${key}: …`)
      .join(', ')} }`;
  return branch.description ?? String(branch.type);
}

const NAMES: Record<string, string> = {
  object: 'a section (lines `key: value` below it)',
  array: 'a list',
  string: 'text',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a number',
  null: 'null',
};

const article = ({ type }: Schema) =>
  [type ?? []]
    .flat()
    .map((name) => NAMES[name] ?? name)
    .join(' or ');

function typeHint(value: unknown, { type }: Schema): string | undefined {
  const wanted = [type ?? []].flat();
  if (wanted.includes('array') && typeof value !== 'object') {
    return `Write a list: [${String(value)
      .split(/[\s,|]+/)
      .filter(Boolean)
      .slice(0, 8)
      .join(', ')}]`;
  }
  if (wanted.includes('boolean') && /^(y|yes|on|n|no|off)$/i.test(String(value))) {
    return `Write ${/^(y|yes|on)$/i.test(String(value))}.`;
  }
  if (wanted.includes('string') && typeof value !== 'object')
    return `Put it in quotes: "${String(value).slice(0, 40)}"`;
  if (wanted.includes('string') && Array.isArray(value)) return 'One value stands here, no list.';
  return undefined;
}

/** `/drivers/include/0` -> ['drivers', 'include', '0']; RFC 6901. */
const steps = (pointer: string) =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));

/** `drivers.include[0]`, as a person would write it. */
const dotted = (path: readonly string[]) =>
  path.map((step, i) => (/^\d+$/.test(step) ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
