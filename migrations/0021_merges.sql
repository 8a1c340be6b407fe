-- A merge of many comments is a batch.

alter type batch_kind add value 'merge';
