// SPDX-License-Identifier: Apache-2.0
// worker_pool: three workers share one queue of jobs; the results come back over another channel.

#include <cstdio>

#include "vole/sync.h"
#include "vole/vole.h"

int main() {
  return vole::run([] {
    vole::chan<int> jobs(16);
    vole::chan<int> results(16);
    vole::sync::wait_group workers;
    for (int worker = 0; worker < 3; ++worker) {
      workers.go([jobs, results] {
        for (int job : jobs) results.send(2 * job);
      });
    }
    vole::go([&, results] {
      workers.wait();
      results.close();
    });
    for (int job = 1; job <= 10; ++job) jobs.send(job);
    jobs.close();

    int sum = 0;
    for (int result : results) sum += result;
    std::printf("sum of the results: %d\n", sum);
  });
}

// Output:
// sum of the results: 110
