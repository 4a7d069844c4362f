import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fold } from 'node-kmod-deps';
import { MindiError } from '../../contract/error.ts';
import { check } from '../../contract/settings/check.ts';
import { together } from '../../contract/settings/problems.ts';
import { didYouMean } from '../../contract/settings/suggest.ts';
import { shown } from '../../contract/settings/text.ts';
import type { Static } from '../../contract/settings/type.ts';
import { type Located, nodeAt, plain, readYaml } from '../../contract/settings/yaml.ts';
import { isPackageName } from '../kernel/apt.ts';
import { isPackageFile } from '../kernel/unpack.ts';
import { CoverageSchema, type Exception, type Hardware, type Kernel } from './schema.ts';

/** mindi's own kernels and required hardware. */
export const COVERAGE = fileURLToPath(new URL('../../coverage.yaml', import.meta.url));

/** A coverage file: which kernels, which hardware, what is excused. Paths are absolute, module names folded. */
export interface CoverageFile {
  file: string;
  kernels: (Kernel & { where: string })[];
  hardware: Hardware[];
  exceptions: Exception[];
}

/**
 * Reads a coverage file; hardware it does not name is that of mindi's own.
 * @throws MindiError `coverage.*`, every problem at its file:line:column
 */
export async function readCoverage(file: string = COVERAGE): Promise<CoverageFile> {
  const root = await readYaml(resolve(file), 'coverage file');
  const problems = check(root, CoverageSchema, 'coverage');
  if (problems.length > 0) throw together(problems, shown(file), 'coverage.invalid');
  const said = plain(root) as Static<typeof CoverageSchema>;
  const hardware = said.hardware?.map((row) => ({ ...row, module: fold(row.module) }));
  const rows = hardware ?? (await readCoverage()).hardware;
  const exceptions = (said.exceptions ?? []).map((one) => ({ ...one, modules: one.modules.map(fold) }));
  const wrong = [
    ...kernelProblems(said.kernels, root),
    ...rowProblems(rows, root),
    ...exceptionProblems(exceptions, said.kernels, rows, root),
  ];
  if (wrong.length > 0) throw together(wrong, shown(file), 'coverage.invalid');
  const kernels = said.kernels.map((kernel, i) => ({
    ...withPaths(kernel, dirname(resolve(file))),
    where: nodeAt(root, ['kernels', i]).place,
  }));
  return { file: resolve(file), kernels, hardware: rows, exceptions };
}

const SOURCES = ['package', 'modules', 'config'] as const;

function kernelProblems(kernels: readonly Kernel[], root: Located): MindiError[] {
  const names = new Set<string>();
  return kernels.flatMap((kernel, i) => {
    const problems: MindiError[] = [];
    const fail = (key: string, message: string, hint: string) =>
      problems.push(problem(message, nodeAt(root, ['kernels', i, key]).place, hint));
    const sources = SOURCES.filter((key) => kernel[key] !== undefined);
    if (sources.length !== 1) {
      const told =
        sources.length === 0
          ? 'nothing says where it comes from'
          : `${sources.join(' and ')} both say where it comes from`;
      fail(sources[1] ?? '', `the kernel ${kernel.name}: ${told}`, 'Write one of package, modules and config.');
    }
    if (names.has(kernel.name)) fail('name', `the kernel ${kernel.name} is here twice`, 'Give each a name of its own.');
    names.add(kernel.name);
    const debian = typeof kernel.package === 'string' && !isPackageFile(kernel.package);
    if (debian && !isPackageName(kernel.package as string)) {
      fail(
        'package',
        `${JSON.stringify(kernel.package)} is neither a Debian package nor a package file`,
        'Write linux-image-amd64, or ./kernel.rpm.',
      );
    }
    if (debian && kernel.architecture !== undefined && kernel.suite === undefined) {
      const hint = 'Add suite: bookworm, trixie or sid.';
      fail('architecture', `this machine’s own sources may not have ${kernel.architecture}`, hint);
    }
    if (kernel.suite !== undefined && !(debian && /^[a-z][a-z0-9-]*$/.test(kernel.suite))) {
      fail(
        'suite',
        `suite is the release of a Debian package, not ${JSON.stringify(kernel.suite)}`,
        'Write bookworm, trixie or sid, with a package by its name.',
      );
    }
    return problems;
  });
}

function rowProblems(rows: readonly Hardware[], root: Located): MindiError[] {
  const first = new Set<string>();
  return rows.flatMap(({ module }, i) => {
    const twice = first.has(module);
    first.add(module);
    return twice
      ? [
          problem(
            `the driver ${module} is here twice`,
            nodeAt(root, ['hardware', i, 'module']).place,
            'One row a driver.',
          ),
        ]
      : [];
  });
}

function exceptionProblems(
  exceptions: readonly Exception[],
  kernels: readonly Kernel[],
  rows: readonly Hardware[],
  root: Located,
): MindiError[] {
  const known = { kernels: kernels.map(({ name }) => name), modules: rows.map(({ module }) => module) };
  const unknown = (index: number, list: 'kernels' | 'modules', words: readonly string[]) =>
    words.flatMap((word, i) => {
      if (known[list].includes(word)) return [];
      const hint = didYouMean(word, known[list]) ?? `They are ${known[list].join(', ')}.`;
      const what = list === 'kernels' ? 'kernel' : 'driver';
      return [
        problem(
          `no ${what} of this file is called ${JSON.stringify(word)}`,
          nodeAt(root, ['exceptions', index, list, i]).place,
          hint,
        ),
      ];
    });
  return exceptions.flatMap((one, i) => [...unknown(i, 'kernels', one.kernels), ...unknown(i, 'modules', one.modules)]);
}

function withPaths(kernel: Kernel, directory: string): Kernel {
  const absolute = (path: string) => resolve(directory, path);
  const { modules, config } = kernel;
  const files = [kernel.package ?? []].flat().map((file) => (isPackageFile(file) ? absolute(file) : file));
  return {
    ...kernel,
    ...(files.length > 0 ? { package: files } : {}),
    ...(modules === undefined ? {} : { modules: absolute(modules) }),
    ...(config === undefined ? {} : { config: absolute(config) }),
  };
}

function problem(message: string, where: string, hint: string): MindiError {
  return new MindiError(message, { code: 'coverage.bad-value', where, hint });
}
