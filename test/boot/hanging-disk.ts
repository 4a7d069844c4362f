import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md */
const OPTION_MAGIC = Buffer.from('IHAVEOPT');
const OPTION_REPLY = '0003e889045565a9';
const OPTION_GO = 7;
const REPLY = { ack: 1, info: 3, unsupported: 0x8000_0001 } as const;
const READ = 0;

/** A disk of zeros behind an NBD server that never answers what is read beyond `good` bytes. */
export async function hangingDisk(bytes: number, good: number): Promise<{ url: string; [Symbol.dispose](): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, bytes, good).catch(() => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `nbd://127.0.0.1:${port}`,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function serve(socket: Socket, bytes: number, good: number): Promise<void> {
  const read = reader(socket);
  socket.write(Buffer.concat([Buffer.from('NBDMAGIC'), OPTION_MAGIC, Buffer.from('0003', 'hex')]));
  await read(4);
  for (let option = 0; option !== OPTION_GO; ) {
    const head = await read(16);
    option = head.readUInt32BE(8);
    await read(head.readUInt32BE(12));
    if (option !== OPTION_GO) reply(socket, option, REPLY.unsupported);
  }
  const info = Buffer.alloc(12);
  info.writeBigUInt64BE(BigInt(bytes), 2);
  info.writeUInt16BE(1, 10);
  reply(socket, OPTION_GO, REPLY.info, info);
  reply(socket, OPTION_GO, REPLY.ack);
  for (;;) {
    const request = await read(28);
    const [type, offset, length] = [request.readUInt16BE(6), request.readBigUInt64BE(16), request.readUInt32BE(24)];
    if (type === READ && offset >= BigInt(good)) continue;
    const head = Buffer.from('6744669800000000', 'hex');
    socket.write(Buffer.concat([head, request.subarray(8, 16), Buffer.alloc(type === READ ? length : 0)]));
  }
}

function reply(socket: Socket, option: number, type: number, data: Buffer = Buffer.alloc(0)): void {
  const head = Buffer.alloc(20);
  head.write(OPTION_REPLY, 'hex');
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  socket.write(Buffer.concat([head, data]));
}

/** Gives so many bytes as soon as they are there. */
function reader(socket: Socket): (length: number) => Promise<Buffer> {
  let pending = Buffer.alloc(0);
  socket.on('error', () => {});
  const chunks = socket[Symbol.asyncIterator]();
  return async (length) => {
    while (pending.length < length) {
      const { value, done } = await chunks.next();
      if (done) throw new Error('the other side has gone');
      pending = Buffer.concat([pending, value as Buffer]);
    }
    const answer = pending.subarray(0, length);
    pending = pending.subarray(length);
    return answer;
  };
}
