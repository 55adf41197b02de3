#include <lockstone.h>
#include <stdio.h>

int main(void) {
    unsigned boots = 0;
    int32_t status = lockstone_get("boots", &boots, sizeof boots, NULL); /* nothing there at the first start */
    if (status != 0 && status != LOCKSTONE_E_NOT_FOUND) return 1;
    if (boots++, lockstone_put("boots", &boots, sizeof boots, 0) != 0) return 1;
    printf("start %u\n", boots); /* it returned: no power cut takes it back */
}
