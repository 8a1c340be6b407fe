-- Giving the threads of a whole site other article ids is a batch.

alter type audit_action add value if not exists 'articles_remapped';
alter type batch_kind add value if not exists 'remap';
