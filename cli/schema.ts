import { Command } from 'commander';
import { answerJson } from './output.ts';

const EXAMPLES = `
For an editor that knows the YAML language server, keep it beside your profiles:
  mindi schema > mindi-profile.schema.json
and begin each of them with
  # yaml-language-server: $schema=./mindi-profile.schema.json`;

/** `mindi schema`: the profile's JSON Schema. */
export function schemaCommand(): Command {
  return new Command('schema')
    .description("print the profile's JSON Schema (draft 2020-12): every field, what it means, what may stand there")
    .option('--json', 'the same: it is always JSON')
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const { ProfileSchema, SCHEMA_HEAD } = await import('../builder/profile/schema.ts');
      answerJson({ ...SCHEMA_HEAD, ...ProfileSchema });
    });
}
