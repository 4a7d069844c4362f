import { type Static, Type } from 'typebox';
import { RESTORE_MODES } from '../../contract/rescue-config.ts';

/**
 * The profile's one source: its JSON Schema (draft 2020-12), and from it the TypeScript type. Every field is optional in
 * the file but `name`; `defaults.ts` and the profile that `extends:` names fill the rest. Lists, never comma strings.
 */
const closed = { additionalProperties: false } as const;
const strings = (description: string) => Type.Array(Type.String({ minLength: 1 }), { description });

const KernelSource = Type.Union(
  [
    Type.Literal('auto', { description: 'the running kernel where its image and modules exist, else failsafe' }),
    Type.Literal('running', { description: 'the kernel this machine runs now' }),
    Type.Literal('failsafe', { description: 'the signed Debian kernel mindi names' }),
    Type.Object(
      {
        image: Type.String({ description: 'path of a kernel image' }),
        modules: Type.String({ description: 'its modules directory, …/lib/modules/VERSION' }),
      },
      closed,
    ),
    Type.Object(
      { package: Type.String({ description: 'a Debian package name, or a .deb, .rpm, .pkg.tar.zst or .apk file' }) },
      closed,
    ),
  ],
  { description: 'which kernel boots the medium' },
);

export const ProfileSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]*$', description: 'names the media: NAME.iso' }),
    description: Type.Optional(Type.String()),
    extends: Type.Optional(
      Type.String({ description: 'a built-in profile or a file, whose fields this one overrides' }),
    ),
    kernel: Type.Optional(KernelSource),
    runtime: Type.Optional(Type.Union([Type.Literal('node'), Type.Literal('bun')])),
    drivers: Type.Optional(
      Type.Object(
        {
          sets: Type.Optional(strings('driver sets: profiles/drivers/*.yaml, or a file of your own')),
          include: Type.Optional(strings('more modules, globs, directories or aliases')),
          exclude: Type.Optional(strings('the same, left out')),
          firmware: Type.Optional(
            Type.Union([Type.Literal('auto'), Type.Literal('none')], {
              description: 'auto: what the chosen modules declare and this machine has',
            }),
          ),
        },
        closed,
      ),
    ),
    tools: Type.Optional(
      Type.Object(
        {
          sets: Type.Optional(strings('tool sets: profiles/tools/*.yaml')),
          include: Type.Optional(strings('more files or programs of this machine')),
        },
        closed,
      ),
    ),
    mountlist: Type.Optional(
      Type.Union([
        Type.Literal('host', { description: 'captured on this machine when the medium is built' }),
        Type.Literal('none'),
        Type.Object({ file: Type.String({ description: 'a mountlist written before' }) }, closed),
      ]),
    ),
    restore: Type.Optional(
      Type.Object(
        {
          mode: Type.Optional(Type.Union(RESTORE_MODES.map((mode) => Type.Literal(mode)))),
          source: Type.Optional(Type.String({ description: 'where the restore data are, a URL' })),
        },
        closed,
      ),
    ),
    media: Type.Optional(Type.Array(Type.Union([Type.Literal('iso')]), { minItems: 1, uniqueItems: true })),
    boot: Type.Optional(
      Type.Object(
        {
          timeout: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 3600, description: 'seconds the menu waits; 0: for ever' }),
          ),
          default: Type.Optional(Type.Union([...RESTORE_MODES, 'local' as const].map((entry) => Type.Literal(entry)))),
          append: Type.Optional(strings('more kernel parameters')),
          serial: Type.Optional(
            Type.Union([Type.Literal(false), Type.String({ pattern: '^ttyS[0-9]+(,[0-9]+.*)?$' })], {
              description: 'serial console, ttyS0,115200; false: none',
            }),
          ),
        },
        closed,
      ),
    ),
    network: Type.Optional(
      Type.Object(
        { ip: Type.Optional(Type.String({ description: 'none, or dhcp: bring the network up at boot' })) },
        closed,
      ),
    ),
    access: Type.Optional(
      Type.Object(
        {
          keymap: Type.Optional(Type.String({ description: 'console keymap, e.g. de-latin1; host: as this machine' })),
        },
        closed,
      ),
    ),
    initrd: Type.Optional(
      Type.Object(
        {
          fold: Type.Optional(
            Type.Boolean({ description: 'put the second stage into the initrd too: one file, more RAM' }),
          ),
        },
        closed,
      ),
    ),
    budget: Type.Optional(
      Type.Object(
        {
          initrd: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'MiB the initrd may have' })),
          ram: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'MiB of RAM the medium may need' })),
        },
        closed,
      ),
    ),
  },
  { ...closed, $id: 'mindi-profile', title: 'mindi profile', $schema: 'https://json-schema.org/draft/2020-12/schema' },
);

/** A profile as a person writes it: everything optional but the name. */
export type ProfileFile = Static<typeof ProfileSchema>;
