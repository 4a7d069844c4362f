/** Modules that the kernel asks for by request_module() while it runs: no metadata names them, only its source does. */
export interface Family {
  /** The module whose code asks. */
  module: string;
  /** Module names, aliases, or globs over both. */
  wants: string[];
  /** Where in the kernel's source the request is made. */
  source: string;
}

const NLS = ['nls_cp437', 'nls_iso8859_1', 'nls_ascii', 'nls_utf8'];

export const FAMILIES: readonly Family[] = [
  ...['fat', 'isofs', 'udf', 'ntfs', 'ntfs3', 'exfat', 'hfs', 'hfsplus', 'jfs', 'cifs', 'befs'].map((module) => ({
    module,
    wants: NLS,
    source: 'fs/nls/nls_base.c load_nls',
  })),
  { module: 'ext4', wants: ['crypto-crc32c'], source: 'fs/ext4/super.c crypto_alloc_shash' },
  { module: 'btrfs', wants: ['crypto-crc32c'], source: 'fs/btrfs/super.c crypto_alloc_shash' },
  { module: 'f2fs', wants: ['crypto-crc32'], source: 'fs/f2fs/super.c crypto_alloc_shash' },
  { module: 'libcrc32c', wants: ['crypto-crc32c'], source: 'lib/libcrc32c.c crypto_alloc_shash' },
  { module: 'crc_t10dif', wants: ['crypto-crct10dif'], source: 'lib/crc-t10dif.c crypto_alloc_shash' },
  {
    module: 'crc64_rocksoft',
    wants: ['crypto-crc64-rocksoft'],
    source: 'lib/crc64-rocksoft.c crypto_alloc_shash (Linux 5.18 to 6.13)',
  },
  { module: 'libiscsi_tcp', wants: ['crypto-crc32c'], source: 'drivers/scsi/iscsi_tcp.c crypto_alloc_ahash' },
  {
    module: 'dm_crypt',
    wants: [
      'crypto-aes',
      'crypto-xts',
      'crypto-cbc',
      'crypto-ecb',
      'crypto-lrw',
      'crypto-essiv',
      'crypto-hmac',
      'crypto-sha1',
      'crypto-sha256',
      'crypto-sha512',
      'crypto-rmd160',
      'crypto-wp512',
      'crypto-serpent',
      'crypto-twofish',
      'crypto-camellia',
      'crypto-adiantum',
      'algif_hash',
      'algif_skcipher',
    ],
    source: 'crypto/api.c request_module("crypto-%s"), for the ciphers LUKS offers; crypto/af_alg.c for cryptsetup',
  },
  {
    module: 'dm_integrity',
    wants: ['crypto-crc32c', 'crypto-hmac', 'crypto-sha256'],
    source: 'crypto/api.c request_module("crypto-%s")',
  },
  { module: 'dm_verity', wants: ['crypto-sha256'], source: 'crypto/api.c request_module("crypto-%s")' },
  { module: 'zram', wants: ['crypto-lzo*', 'crypto-lz4', 'crypto-zstd'], source: 'drivers/block/zram/zcomp.c' },
  { module: 'dm_mod', wants: ['dm-*'], source: 'drivers/md/dm-target.c request_module("dm-%s")' },
  { module: 'dm_multipath', wants: ['scsi_dh_*'], source: 'drivers/scsi/scsi_dh.c request_module("scsi_dh_%s")' },
  {
    module: 'md_mod',
    wants: ['md-personality-*', 'md-level-*'],
    source: 'drivers/md/md.c request_module("md-level-%s")',
  },
  { module: 'libphy', wants: ['mdio:*'], source: 'drivers/net/phy/phy_device.c request_module(MDIO_MODULE_PREFIX…)' },
  { module: 'mlx4_core', wants: ['mlx4_en'], source: 'drivers/net/ethernet/mellanox/mlx4/main.c mlx4_request_modules' },
  { module: 'mmc_core', wants: ['mmc:block'], source: 'drivers/mmc/core/bus.c: MODALIAS in the uevent, not in sysfs' },
  {
    module: 'nvme_fabrics',
    wants: ['nvme-tcp', 'nvme-fc', 'nvme-rdma'],
    source: 'drivers/nvme/host/fabrics.c request_module("nvme-%s")',
  },
  { module: 'nfs', wants: ['nfsv2', 'nfsv3', 'nfsv4'], source: 'fs/nfs/client.c request_module("nfsv%d")' },
  { module: 'nfsv4', wants: ['nfs-layouttype4-*'], source: 'fs/nfs/pnfs.c request_module' },
  { module: 'sunrpc', wants: ['rpc-auth-*'], source: 'net/sunrpc/auth.c request_module("rpc-auth-%u")' },
  {
    module: 'rpcsec_gss_krb5',
    wants: ['crypto-cts', 'crypto-cbc', 'crypto-aes', 'crypto-sha1', 'crypto-sha256', 'crypto-hmac', 'crypto-cmac'],
    source: 'net/sunrpc/auth_gss/gss_krb5_mech.c',
  },
  { module: '9pnet', wants: ['9p-*'], source: 'net/9p/mod.c request_module("9p-%s")' },
];
