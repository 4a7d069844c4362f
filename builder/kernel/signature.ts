import { open } from 'node:fs/promises';

/** Room for the DOS header, the PE headers and their data directories; Linux and GRUB have them in the first KiB. */
const HEAD = 4096;
/** The data directory that names the certificate table: a place in the file, not in memory. */
const CERTIFICATES = 4;
const MAGIC = { pe32: 0x10b, pe64: 0x20b } as const;
/** WIN_CERTIFICATE.wCertificateType of a PKCS #7 SignedData. */
const PKCS7 = 2;

/**
 * Whether an EFI program, as a Linux kernel is one, carries an Authenticode signature: an entry in the certificate table
 * of its PE file. By whom, and whether it is right, the firmware or shim decides.
 */
export async function isSigned(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const read = async (offset: number, length: number) => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    const table = certificateTable(await read(0, HEAD));
    if (!table) return false;
    const { size } = await file.stat();
    return table.offset + table.size <= size && isCertificate(await read(table.offset, 8), table.size);
  } finally {
    await file.close();
  }
}

/** Where the certificate table lies in a PE file that begins so; undefined when it has none, or is no PE file. */
export function certificateTable(head: Buffer): { offset: number; size: number } | undefined {
  if (head.length < 64 || head.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const pe = head.readUInt32LE(0x3c);
  const optional = pe + 24;
  if (optional + 2 > head.length || head.toString('latin1', pe, pe + 4) !== 'PE\0\0') return undefined;
  const magic = head.readUInt16LE(optional);
  if (magic !== MAGIC.pe32 && magic !== MAGIC.pe64) return undefined;
  const count = optional + (magic === MAGIC.pe64 ? 108 : 92);
  const entry = count + 4 + CERTIFICATES * 8;
  if (entry + 8 > head.length || head.readUInt32LE(count) <= CERTIFICATES) return undefined;
  const [offset, size] = [head.readUInt32LE(entry), head.readUInt32LE(entry + 4)];
  return offset > 0 && size > 8 ? { offset, size } : undefined;
}

/** WIN_CERTIFICATE: length, revision, type. */
function isCertificate(bytes: Buffer, room: number): boolean {
  if (bytes.length < 8) return false;
  const length = bytes.readUInt32LE(0);
  return length > 8 && length <= room && bytes.readUInt16LE(6) === PKCS7;
}
