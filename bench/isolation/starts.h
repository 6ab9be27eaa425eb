// First responses in one sitting, by turns: of a bare Node.js, of in_process, of a worker that is started for the call, and of
// one that waited. Run by `./dev bench isolation --starts`.
#pragma once

namespace bench {

// Of Node.js, whose own start is most of it.
void measure_starts(int rounds);

}  // namespace bench
