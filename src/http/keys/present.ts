import type { PublicIds } from '../../domain/public-id.ts'
import type { CreatedKey, Key } from '../../usecases/administering/keys.ts'

export const presentKey = (ids: PublicIds, key: Key) => ({
  id: ids.write('key', key.id),
  name: key.name,
  scope: key.scope,
  site: key.site,
  created_at: key.createdAt,
  expires_at: key.expiresAt,
  revoked_at: key.revokedAt,
  last_used_at: key.lastUsedAt,
})

export const presentCreatedKey = (ids: PublicIds, { key, secret }: CreatedKey) => ({
  ...presentKey(ids, key),
  key: secret,
})
