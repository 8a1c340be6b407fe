// The properties of these files, at full length: see `runs` in test/lengths.ts.
import '../domain/links.test.ts'
import '../http/known-requests.test.ts'
import '../http/members.test.ts'
import '../http/moving-undo.test.ts'
import '../http/paging.test.ts'
import '../http/undo-sequences.test.ts'
import '../postgres/walks.test.ts'
import '../usecases/deciding.test.ts'
