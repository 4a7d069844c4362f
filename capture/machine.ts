/** What a program said; 127: there is no such program. */
export interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

/** The machine that is asked: this one, or what one has said before. */
export interface Machine {
  run(program: string, args: readonly string[]): Promise<Said>;
  /** A small text file; null where there is none. */
  read(path: string): Promise<string | null>;
}

/** All a machine was asked and what it said, so that it can be asked again without the machine. */
export interface Facts {
  programs: Record<string, Said>;
  files: Record<string, string | null>;
}

const callOf = (program: string, args: readonly string[]) => [program, ...args].join(' ');

/** The machine, with everything it says kept in `facts`. */
export function recording(machine: Machine, facts: Facts): Machine {
  return {
    async run(program, args) {
      const said = await machine.run(program, args);
      facts.programs[callOf(program, args)] = said;
      return said;
    },
    async read(path) {
      const text = await machine.read(path);
      facts.files[path] = text;
      return text;
    },
  };
}

/** A machine that was recorded; of programs it was not asked for it says that they are missing. */
export function recorded(facts: Facts): Machine {
  return {
    run: async (program, args) =>
      facts.programs[callOf(program, args)] ?? { code: 127, stdout: '', stderr: `${program} was not asked` },
    read: async (path) => facts.files[path] ?? null,
  };
}

/** What JSON says under a key; an empty list where it is no such JSON. */
export function rowsOf(text: string, ...path: string[]): Record<string, unknown>[] {
  let value = parsed(text);
  for (const key of path) value = (value as Record<string, unknown> | null)?.[key];
  return Array.isArray(value) ? value.filter((row) => row !== null && typeof row === 'object') : [];
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Text of a field; empty where there is none. */
export const textOf = (value: unknown) => (value === null || value === undefined ? '' : String(value).trim());

/** `KEY=value` lines, and those of `Key name:  value`, by their keys. */
export function linesOf(text: string, separator: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = separator.exec(line);
    if (!at) continue;
    const key = line.slice(0, at.index).trim();
    if (key && !found.has(key)) found.set(key, line.slice(at.index + at[0].length).trim());
  }
  return found;
}
