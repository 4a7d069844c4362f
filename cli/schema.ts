import { Command } from 'commander';
import { answerJson } from './output.ts';

const EXAMPLES = `
For an editor that knows the YAML language server, keep it beside your profiles:
  mindi schema > mindi-profile.schema.json
and begin each of them with
  # yaml-language-server: $schema=./mindi-profile.schema.json
The same for mindi/config.yaml of a stick (docs/stick.md):
  mindi schema --stick > mindi-stick.schema.json`;

/** `mindi schema`: the profile's JSON Schema. */
export function schemaCommand(): Command {
  return new Command('schema')
    .description("print the profile's JSON Schema (draft 2020-12): every field, what it means, what may stand there")
    .option('--stick', 'that of mindi/config.yaml, which a person may put on a stick')
    .option('--json', 'the same: it is always JSON')
    .addHelpText('after', EXAMPLES)
    .action(async ({ stick }: { stick?: true }) => {
      const { ProfileSchema, SCHEMA_HEAD } = await import('../builder/profile/schema.ts');
      const { StickSchema } = await import('../contract/settings/stick-schema.ts');
      const head = { $schema: SCHEMA_HEAD.$schema, $id: 'urn:mindi:stick', title: 'mindi/config.yaml of a stick' };
      answerJson(stick ? { ...head, ...StickSchema } : { ...SCHEMA_HEAD, ...ProfileSchema });
    });
}
