// The properties of the widget's files, at full length: see `runs` in test/lengths.ts.
import '../web/body.test.ts'
import '../web/everybody.test.ts'
import '../web/languages.test.ts'
