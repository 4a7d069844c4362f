import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MindiError } from '../../contract/error.ts';
import { together } from '../../contract/settings/problems.ts';
import { didYouMean } from '../../contract/settings/suggest.ts';
import { shown } from '../../contract/settings/text.ts';
import { type Static, Type } from '../../contract/settings/type.ts';
import { type Located, plain, readYaml } from '../../contract/settings/yaml.ts';
import { checked } from '../checked.ts';

const BUILT_IN = fileURLToPath(new URL('../../profiles/tools', import.meta.url));
const KIND = 'tool set';

const closed = { additionalProperties: false } as const;
const names = (description: string) => Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description }));

/** A tool set file, as a person writes it: profiles/tools/*.yaml or one of their own. */
export const ToolSetSchema = Type.Object(
  {
    description: Type.String(),
    tools: Type.Array(
      Type.Object(
        {
          package: Type.String({ minLength: 1, description: 'Debian name of the package that brings them' }),
          required: names('programs without which the build fails, by name or path'),
          optional: names('programs that go onto the medium where this machine has them'),
          files: names('what they read, where this machine has it: files, directories, globs'),
        },
        closed,
      ),
    ),
    scripts: names("mindi's own programs: files of builder/tools/scripts"),
  },
  { ...closed, $id: 'mindi-tool-set', $schema: 'https://json-schema.org/draft/2020-12/schema' },
);

export interface ToolSet extends Static<typeof ToolSetSchema> {
  /** As the profile names it. */
  name: string;
}

/** Names of the sets that come with mindi. */
export function toolSetNames(): string[] {
  const files = readdirSync(BUILT_IN).filter((file) => file.endsWith('.yaml'));
  return files.map((file) => basename(file, '.yaml')).sort();
}

/** What is wrong with a tool set by its schema, each problem at its place. */
export function checkToolSet(root: Located): Promise<MindiError[]> {
  return checked(root, ToolSetSchema, 'tool-set');
}

/**
 * Reads a set by its name, or a file of one's own by its path.
 * @param where `file:line:column` that named it
 * @throws MindiError `tool-set.unknown`, or every problem of the file with its place.
 */
export async function loadToolSet(name: string, where?: string): Promise<ToolSet> {
  const own = name.includes('/') || /\.ya?ml$/.test(name);
  const known = toolSetNames();
  if (!own && !known.includes(name)) {
    throw new MindiError(`there is no tool set ${JSON.stringify(name)}`, {
      code: 'tool-set.unknown',
      where,
      hint: didYouMean(name, known) ?? `There are ${known.join(', ')}; a path names a file of your own.`,
    });
  }
  const file = own ? name : join(BUILT_IN, `${name}.yaml`);
  const root = await readYaml(file, KIND);
  const problems = await checkToolSet(root);
  if (problems.length > 0) throw together(problems, shown(file), 'tool-set.invalid');
  return { name: own ? basename(name) : name, ...(plain(root) as Static<typeof ToolSetSchema>) };
}
