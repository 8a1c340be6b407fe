-- Changes of keys and bans that stand, in the audit log and the moderation log.

alter type audit_action add value 'key_updated';
alter type audit_action add value 'ban_updated';
alter type decision_action add value 'ban_update';
