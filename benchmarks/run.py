"""Every benchmark, one after another: `make bench`. Ratios are to the first line of each table."""

import em_iteration
import extraction
import scoring
import startup
from threadpoolctl import threadpool_limits
from timing import about_machine

if __name__ == "__main__":
    with threadpool_limits(limits=1, user_api="blas"):
        print(about_machine())
        em_iteration.main()
        extraction.main()
        scoring.main()
    startup.main()
