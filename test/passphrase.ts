import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Signs `abc` in a terminal, where somebody types the passphrase when asked. Returns the signature. */
export async function signAtTerminal(key: string, passphrase: string, folder: string): Promise<string> {
  const [program, signature] = [join(folder, 'program.mjs'), join(folder, 'signature')];
  const lines = [
    "import { writeFileSync } from 'node:fs';",
    `import { sign, signingKey } from '${resolve('builder/trust/sign.ts')}';`,
    `const file = { name: 'abc', bytes: Buffer.from('abc') };`,
    `const { text } = await sign(file, await signingKey('${key}'), null);`,
    `writeFileSync('${signature}', text);`,
  ];
  writeFileSync(program, lines.join('\n'));
  const terminal = spawn('script', ['-qec', `${process.execPath} --conditions=source ${program}`, '/dev/null']);
  let said = '';
  terminal.stdout.on('data', (text) => {
    said += text;
    if (/pass(?:word|phrase)/i.test(String(text))) terminal.stdin.write(`${passphrase}\n`);
  });
  const [code] = await once(terminal, 'close');
  if (code !== 0) throw new Error(said);
  return readFileSync(signature, 'utf8');
}
