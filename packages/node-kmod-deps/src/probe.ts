import type { ModuleTree, Target } from './tree.ts';

export type ProbeStep =
  | { action: 'insert'; name: string }
  | { action: 'builtin'; name: string }
  /** modprobe.d's `install NAME COMMAND`, run by a shell instead of inserting the module. */
  | { action: 'install'; name: string; command: string };

/**
 * The order of libkmod's kmod_module_probe_insert_module: every hard dependency from the last to the first, the module
 * itself, each with its soft dependencies before and after it (libkmod-module.c, __kmod_module_get_probe_list).
 */
export function probeSteps(tree: ModuleTree, targets: readonly Target[]): ProbeStep[] {
  const steps = new Map<string, ProbeStep>();
  for (const target of targets) visit(tree, target.name, steps, new Set());
  return [...steps.values()];
}

function visit(tree: ModuleTree, name: string, steps: Map<string, ProbeStep>, visited: Set<string>): void {
  if (visited.has(name)) return;
  visited.add(name);
  const needs = tree.has(name) ? tree.hard(name).toReversed() : [];
  for (const need of [...needs, name]) withSoft(tree, need, steps, visited);
}

function withSoft(tree: ModuleTree, name: string, steps: Map<string, ProbeStep>, visited: Set<string>): void {
  const { pre, post } = tree.soft(name);
  for (const before of pre) visitAll(tree, before, steps, visited);
  if (!steps.has(name)) steps.set(name, step(tree, name));
  for (const after of post) visitAll(tree, after, steps, visited);
}

function visitAll(tree: ModuleTree, alias: string, steps: Map<string, ProbeStep>, visited: Set<string>): void {
  for (const target of tree.lookup(alias)) visit(tree, target.name, steps, visited);
}

function step(tree: ModuleTree, name: string): ProbeStep {
  const command = tree.config.install.get(name);
  if (command !== undefined) return { action: 'install', name, command };
  return tree.has(name) ? { action: 'insert', name } : { action: 'builtin', name };
}
