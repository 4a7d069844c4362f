/** A module file's name in any of the forms depmod accepts. */
const MODULE_FILE = /\.ko(?:\.(?:gz|xz|zst))?$/;

/** `foo-bar` and `foo_bar` are the same module: the kernel uses `_`. */
export function fold(name: string): string {
  return name.includes('-') ? name.replaceAll('-', '_') : name;
}

/** Module name of what a person or a modules.* file wrote: a name, or a path ending in .ko, .ko.gz, .ko.xz, .ko.zst. */
export function moduleName(nameOrPath: string): string {
  return fold(withoutSuffix(nameOrPath.slice(nameOrPath.lastIndexOf('/') + 1)));
}

/** `kernel/fs/ext4/ext4.ko.xz` -> `kernel/fs/ext4/ext4`. */
export function withoutSuffix(path: string): string {
  return path.replace(MODULE_FILE, '');
}

export function isModuleFile(path: string): boolean {
  return MODULE_FILE.test(path);
}

/** `-` to `_` outside of brackets, as libkmod normalises aliases before it compares them. */
export function foldAlias(alias: string): string {
  if (!alias.includes('-')) return alias;
  if (!alias.includes('[')) return alias.replaceAll('-', '_');
  return alias.replace(/\[[^\]]*\]|-/g, (part) => (part === '-' ? '_' : part));
}
