import { type Static, Type } from '../../contract/settings/type.ts';

const text = (description: string) => Type.String({ minLength: 1, description });
const list = (description: string) => Type.Array(Type.String({ minLength: 1 }), { description, minItems: 1 });
const counts = (description: string) =>
  Type.Optional(Type.Enum(['fail', 'inform'], { description: `${description}: fail or inform; fail if not said` }));

/** Debian's names of the machine kinds whose kernels mindi reads. */
const Architecture = Type.Enum(['amd64', 'i386', 'arm64'], {
  description: 'Debian’s name of the kind of machine; amd64 if not said',
});

const KernelSchema = Type.Object(
  {
    name: text('what the reports and the exceptions call it'),
    title: Type.Optional(text('what people read')),
    architecture: Type.Optional(Architecture),
    package: Type.Optional(
      Type.Union([
        text('a Debian package, or a file .deb, .rpm, .apk or .pkg.tar.zst'),
        list('all package files of one kernel'),
      ]),
    ),
    suite: Type.Optional(
      text('the Debian release the package is fetched from; this machine’s own sources if not said'),
    ),
    modules: Type.Optional(text('a modules directory, or an archive of its modules.* files')),
    config: Type.Optional(text('a kernel’s build configuration; what it says is marked as derived')),
    uncovered: counts('what a required device without driver does'),
    unavailable: counts('what it does when the kernel cannot be had'),
  },
  { additionalProperties: false },
);

const HardwareSchema = Type.Object(
  {
    module: text('the driver, as Linux calls it'),
    device: Type.Optional(text('the modalias of a real device, which the kernel must answer')),
    title: text('what people read'),
    group: Type.Enum(['virtual', 'storage', 'network', 'usb', 'tape'], { description: 'the kind of device' }),
    option: Type.Optional(text('the option of the kernel configuration that builds it, without CONFIG_')),
    path: Type.Optional(text('where the kernel’s source has it')),
  },
  { additionalProperties: false },
);

const ExceptionSchema = Type.Object(
  {
    kernels: list('names of kernels'),
    modules: list('drivers these kernels are built without'),
    reason: text('why that is right'),
  },
  { additionalProperties: false },
);

/** coverage.yaml, and the file of --kernels. */
export const CoverageSchema = Type.Object(
  {
    kernels: Type.Array(KernelSchema, { description: 'the columns: kernels', minItems: 1 }),
    hardware: Type.Optional(
      Type.Array(HardwareSchema, {
        description: 'the rows: required hardware; mindi’s own list if not said',
        minItems: 1,
      }),
    ),
    exceptions: Type.Optional(Type.Array(ExceptionSchema, { description: 'what a kernel need not have' })),
  },
  { additionalProperties: false },
);

export type Kernel = Static<typeof KernelSchema>;
export type Hardware = Static<typeof HardwareSchema>;
export type Exception = Static<typeof ExceptionSchema>;
